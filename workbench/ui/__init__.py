"""What the pages draw with: event cards, forms, the diagram. The only package beside the pages that knows Streamlit."""
